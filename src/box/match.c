/* Single search keys against single messages: records, cached headers, raw headers. */
#include "query.h"
#include "made.h"

#include "base/utf8.h"
#include "mime/date.h"
#include "mime/header.h"

#include <time.h>

enum { FOLD_MAX = 8 << 20 };

bool query_is_key(enum query_kind k)
{
	return k != Q_AND && k != Q_OR && k != Q_NOT;
}

/* The header field that a key looks into; empty for others. */
static struct span field_of(const struct query *q)
{
	switch (q->kind) {
	case Q_HEADER:
		return q->name;
	case Q_ADDRESS_FROM:
		return SPAN("from");
	case Q_ADDRESS_TO:
		return SPAN("to");
	case Q_ADDRESS_CC:
		return SPAN("cc");
	case Q_ADDRESS_BCC:
		return SPAN("bcc");
	case Q_SUBJECT:
		return SPAN("subject");
	default:
		return (struct span){ NULL, 0 };
	}
}

bool query_asks(const struct query *q)
{
	return q->kind == Q_HEADER && made_asked_name(q->name) && !made_header_kept(q->name);
}

enum query_level match_level(const struct query *q)
{
	switch (q->kind) {
	case Q_ALL:
	case Q_AND:
	case Q_OR:
	case Q_NOT:
	case Q_UIDS:
	case Q_FLAG:
		return LEVEL_MAP;
	case Q_BODY:
	case Q_TEXT:
		return LEVEL_BYTES;
	case Q_THREADID:
		return LEVEL_HEADERS;
	default:
		break;
	}
	if (!field_of(q).n)
		return q->kind == Q_HEADER ? LEVEL_BYTES : LEVEL_RECORD;
	return made_header_kept(field_of(q)) || query_asks(q) ? LEVEL_HEADERS : LEVEL_BYTES;
}

static enum truth truth_of(bool b)
{
	return b ? YES : NO;
}

/* --- dates ------------------------------------------------------------------------ */

/* Days since 1970 in the server's zone. */
static int64_t local_day(int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return when / 86400;
	return (int64_t)(timegm(&(struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday }) /
			 86400);
}

static bool day_matches(enum query_kind k, int64_t day, int64_t wanted)
{
	switch (k) {
	case Q_BEFORE:
	case Q_SENTBEFORE:
	case Q_SAVEDBEFORE:
		return day < wanted;
	case Q_ON:
	case Q_SENTON:
	case Q_SAVEDON:
		return day == wanted;
	default:
		return day >= wanted;
	}
}

static enum truth time_truth(const struct query *q, int64_t when)
{
	return truth_of(q->exact ? day_matches(q->kind, when, q->when)
				 : day_matches(q->kind, local_day(when), q->day));
}

static enum truth sent_truth(const struct query *q, int64_t sent)
{
	struct mime_date d;

	if (!sent_date(sent, &d))
		return NO;
	return truth_of(q->exact ? day_matches(q->kind, d.utc, q->when)
				 : day_matches(q->kind, mime_date_day(d), q->day));
}

/* --- records ---------------------------------------------------------------------- */

static bool has_keyword(const struct query_run *r, const struct query *q, uint64_t bits)
{
	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		const char *name = r->v->mb->keyword[i];

		if (name && (bits >> i & 1) && span_ieq_str(q->text, name))
			return true;
	}
	return false;
}

static enum truth record_truth(const struct query_run *r, const struct query *q, const struct message_facts *f)
{
	switch (q->kind) {
	case Q_KEYWORD:
		return truth_of(has_keyword(r, q, f->flags.keywords));
	case Q_BEFORE:
	case Q_ON:
	case Q_SINCE:
		return time_truth(q, f->internaldate);
	case Q_SAVEDBEFORE:
	case Q_SAVEDON:
	case Q_SAVEDSINCE:
		return time_truth(q, f->savedate);
	case Q_SENTBEFORE:
	case Q_SENTON:
	case Q_SENTSINCE:
		return sent_truth(q, f->sent);
	case Q_OLDER:
		return truth_of(f->internaldate <= r->now - (int64_t)q->number);
	case Q_YOUNGER:
		return truth_of(f->internaldate >= r->now - (int64_t)q->number);
	case Q_LARGER:
		return truth_of(f->vsize > q->number);
	case Q_SMALLER:
		return truth_of(f->vsize < q->number);
	case Q_MODSEQ:
		return truth_of(f->modseq >= q->number);
	case Q_EMAILID:
		return truth_of(memcmp(f->emailid, q->id, sizeof(q->id)) == 0);
	default:
		return MAYBE;
	}
}

/* --- cached headers ----------------------------------------------------------------- */

static enum truth thread_truth(const struct query *q, struct span headers, const uint8_t emailid[16])
{
	uint8_t id[16];

	threadid_of(headers, emailid, id);
	return truth_of(memcmp(id, q->id, sizeof(id)) == 0);
}

static bool text_contains(struct query_run *r, struct qnode *n, struct span text)
{
	if (!n->q->text.n)
		return true;
	buf_clear(&r->fold);
	utf8_fold(text, &r->fold);
	mime_matcher_reset(&n->m);
	return mime_matcher_add(&n->m, buf_span(&r->fold));
}

static enum truth headers_truth(struct query_run *r, struct qnode *n, const struct message_facts *f)
{
	struct span headers = n->asks ? f->asked : f->headers;
	struct span rest = headers, name = field_of(n->q), value;

	if (!headers.p || (n->asks && !made_asked_has(headers, n->q->name)))
		return MAYBE;
	if (n->q->kind == Q_THREADID)
		return thread_truth(n->q, headers, f->emailid);
	while (made_headers_find(&rest, name, &value))
		if (text_contains(r, n, value))
			return YES;
	return NO;
}

void match_facts(struct query_run *r, struct qnode *n, const struct message_facts *f, enum query_level level)
{
	if (n->truth != MAYBE || !query_is_key(n->q->kind) || n->level > level)
		return;
	if (n->level == LEVEL_MAP)
		n->truth = truth_of(set_has(n->uids, f->uid));
	else if (n->level == LEVEL_RECORD)
		n->truth = record_truth(r, n->q, f);
	else if (n->level == LEVEL_HEADERS)
		n->truth = headers_truth(r, n, f);
}

/* --- raw headers ------------------------------------------------------------------------ */

/* Of a message whose fields are too many to be cached. */
static enum truth long_thread_truth(struct query_run *r, const struct query *q, struct span message)
{
	buf_clear(&r->fold);
	made_headers_add(acct_charsets(r->v->mb->acct), message, FOLD_MAX, &r->fold);
	return thread_truth(q, buf_span(&r->fold), r->msg_emailid);
}

bool match_header(struct query_run *r, struct qnode *n, struct span message)
{
	struct span header;

	if (n->truth == MAYBE && n->q->kind == Q_THREADID) {
		n->truth = long_thread_truth(r, n->q, message);
		return true;
	}
	if (n->truth != MAYBE || !field_of(n->q).n)
		return false;
	header = span_cut(message, 0, mime_header_size(message));
	mime_matcher_reset(&n->m);
	n->truth = truth_of(mime_search_header(acct_charsets(r->v->mb->acct), header, field_of(n->q), &n->m));
	return true;
}
