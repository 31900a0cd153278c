/*
 * What a pausable piece of work answers each time it is called (law 4).
 * It is called again until it says STEP_DONE; its loop variables live in the
 * command's arena. Never mixed with enum err: a step keeps its enum err in its own state.
 */
#ifndef BASE_STEP_H
#define BASE_STEP_H

enum step {
	STEP_DONE,        /* finished, well or not */
	STEP_OUTPUT_FULL, /* call again when the output has drained */
	STEP_INPUT,       /* call again when more input is there */
	STEP_SLICE,       /* the time slice is used: call again soon, others first */
	STEP_WAITING,     /* waits for a lock or another process: call again on a timer or event */
};

#endif
