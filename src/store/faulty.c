/*
 * A store that wraps another and fails on demand. In tests only: store_config.hostname carries,
 * cast, a struct store_faulty that outlives the store; the inner store gets "faulty" as its host
 * name.
 *
 * Every call of a fallible slot counts. The fail_at-th answers with and does nothing, except that a
 * commit then drops its stages, as the contract of commit says; fail_at is 0 afterwards. fail_at is
 * relative: 1 is the next call. With meanwhile it does not fail, but something happens before it.
 */
#include "store/store.h"

#include "base/mem.h"

struct faulty {
	struct store head;
	struct store_faulty *plan; /* borrowed from the test */
	struct store *inner;       /* own */
};

struct faulty_box {
	struct store_box head;
	struct store_box *inner; /* own */
};

static struct faulty *faulty_of(struct store *s)
{
	return (struct faulty *)s;
}

static struct store_box *inner_of(struct store_box *b)
{
	return ((struct faulty_box *)b)->inner;
}

static const struct store_ops *ops_of(struct store_box *b)
{
	return inner_of(b)->ops;
}

static enum err plan_step(struct store_faulty *plan, struct errtext *t)
{
	plan->calls++;
	if (plan->fail_at == 0 || --plan->fail_at > 0)
		return ERR_OK;
	if (!plan->with) {
		plan->meanwhile();
		return ERR_OK;
	}
	return err_say(t, plan->with, "made to fail: %s", err_name(plan->with));
}

static enum err store_step(struct store *s, struct errtext *t)
{
	return plan_step(faulty_of(s)->plan, t);
}

static enum err box_step(struct store_box *b, struct errtext *t)
{
	return store_step(b->store, t);
}

static struct store_faulty *plan_in(const struct store_config *config)
{
	return (struct store_faulty *)(uintptr_t)config->hostname;
}

static enum err faulty_probe(const struct store_config *config)
{
	struct store_config c = *config;
	enum err e = plan_step(plan_in(config), NULL);

	c.hostname = "faulty";
	return e ? e : plan_in(config)->inner->probe(&c);
}

static enum err faulty_open(const struct store_config *config, struct store **s_r,
			    struct errtext *t)
{
	struct store_faulty *plan = plan_in(config);
	struct store_config c = *config;
	struct store *inner;
	enum err e = plan_step(plan, t);

	c.hostname = "faulty";
	e = e ? e : plan->inner->open(&c, &inner, t);
	if (e)
		return e;
	struct faulty *s = mem_alloc(sizeof(*s));
	s->head.ops = store_faulty_ops();
	s->plan = plan;
	s->inner = inner;
	*s_r = &s->head;
	return ERR_OK;
}

static void faulty_close(struct store *s)
{
	struct store *inner = faulty_of(s)->inner;

	inner->ops->close(inner);
	free(s);
}

static enum err faulty_list(struct store *s, struct arena *a, struct store_folder **f_r,
			    size_t *n_r, struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->list(inner, a, f_r, n_r, t);
}

static enum err faulty_create(struct store *s, const char *name, const char *special_use,
			      struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->create(inner, name, special_use, t);
}

static enum err faulty_remove(struct store *s, const char *name, struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->remove(inner, name, t);
}

static enum err faulty_rename(struct store *s, const char *from, const char *to, struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->rename(inner, from, to, t);
}

static enum err faulty_subscriptions(struct store *s, struct arena *a, const char ***names_r,
				     size_t *n_r, struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->subscriptions(inner, a, names_r, n_r, t);
}

static enum err faulty_subscribe(struct store *s, const char *name, bool on, struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	enum err e = store_step(s, t);

	return e ? e : inner->ops->subscribe(inner, name, on, t);
}

static enum err faulty_box_open(struct store *s, const char *name, struct store_box **b_r,
				struct errtext *t)
{
	struct store *inner = faulty_of(s)->inner;
	struct store_box *box;
	enum err e = store_step(s, t);

	e = e ? e : inner->ops->box_open(inner, name, &box, t);
	if (e)
		return e;
	struct faulty_box *b = mem_alloc(sizeof(*b));
	b->head = (struct store_box){ .ops = s->ops, .store = s };
	b->inner = box;
	*b_r = &b->head;
	return ERR_OK;
}

static void faulty_box_close(struct store_box *b)
{
	ops_of(b)->box_close(inner_of(b));
	free(b);
}

static enum err faulty_identity(struct store_box *b, struct store_identity *id_r, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->identity(inner_of(b), id_r, t);
}

static enum err faulty_identify(struct store_box *b, const struct store_identify *want, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->identify(inner_of(b), want, t);
}

static enum err faulty_keywords(struct store_box *b, struct arena *a, const char **names,
				struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->keywords(inner_of(b), a, names, t);
}

static enum err faulty_keyword_add(struct store_box *b, const char *name, unsigned *bit_r,
				   struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->keyword_add(inner_of(b), name, bit_r, t);
}

static enum err faulty_prepare(struct store_box *b, struct errtext *t)
{
	enum err e = ops_of(b)->prepare ? box_step(b, t) : ERR_OK;

	return e || !ops_of(b)->prepare ? e : ops_of(b)->prepare(inner_of(b), t);
}

static enum err faulty_changed(struct store_box *b, struct span token, bool *changed_r)
{
	enum err e = box_step(b, NULL);

	return e ? e : ops_of(b)->changed(inner_of(b), token, changed_r);
}

static enum err faulty_scan(struct store_box *b, struct arena *a, struct store_scan *scan_r,
			    struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->scan(inner_of(b), a, scan_r, t);
}

static enum err faulty_scan_new(struct store_box *b, struct span token, struct arena *a,
				struct store_scan *scan_r, struct errtext *t)
{
	enum err e = box_step(b, t);

	if (!e && !ops_of(b)->scan_new)
		e = ERR_CANNOT;
	return e ? e : ops_of(b)->scan_new(inner_of(b), token, a, scan_r, t);
}

static enum err faulty_locate(struct store_box *b, struct span key, struct span hint,
			      struct store_object *o_r, struct arena *a, struct span *hint_r,
			      struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->locate(inner_of(b), key, hint, o_r, a, hint_r, t);
}

static enum err faulty_stage(struct store_box *b, uint64_t size_hint, struct store_stage *st_r,
			     struct errtext *t)
{
	enum err e = box_step(b, t);

	e = e ? e : ops_of(b)->stage(inner_of(b), size_hint, st_r, t);
	if (!e)
		st_r->box = b; /* the stage comes back through us */
	return e;
}

static void faulty_abort(struct store_stage *st)
{
	st->box = inner_of(st->box);
	st->box->ops->abort(st);
}

static enum err faulty_settle(struct store_box *b, struct store_commit *c, size_t n, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e || !ops_of(b)->settle ? e : ops_of(b)->settle(inner_of(b), c, n, t);
}

typedef enum err commit_fn(struct store_box *b, struct store_commit *c, size_t n, struct arena *a, struct errtext *t);

static enum err commit_with(struct store_box *b, commit_fn *fn, struct store_commit *c, size_t n, struct arena *a,
			    struct errtext *t)
{
	enum err e = box_step(b, t);

	for (size_t i = 0; i < n && e != ERR_INUSE; i++) {
		if (e)
			faulty_abort(c[i].stage);
		else
			c[i].stage->box = inner_of(b);
		c[i].err = e;
	}
	if (e)
		return e;
	e = fn(inner_of(b), c, n, a, t);
	for (size_t i = 0; i < n && e == ERR_INUSE; i++)
		c[i].stage->box = b;
	return e;
}

static enum err faulty_commit_many(struct store_box *b, struct store_commit *c, size_t n,
				   struct arena *a, struct errtext *t)
{
	return commit_with(b, ops_of(b)->commit_many, c, n, a, t);
}

static enum err faulty_place_many(struct store_box *b, struct store_commit *c, size_t n,
				  struct arena *a, struct errtext *t)
{
	commit_fn *place = ops_of(b)->place_many;

	return commit_with(b, place ? place : ops_of(b)->commit_many, c, n, a, t);
}

static enum err faulty_link(struct store_box *from, struct span key, struct span hint,
			    struct store_box *to, struct store_stage *st_r, struct errtext *t)
{
	enum err e = box_step(to, t);

	if (!e && !ops_of(to)->link)
		e = ERR_CANNOT;
	e = e ? e : ops_of(to)->link(inner_of(from), key, hint, inner_of(to), st_r, t);
	if (!e)
		st_r->box = to;
	return e;
}

static enum err faulty_number(struct store_box *b, struct span *keys, size_t n, bool synced,
			      uint32_t *uids, uint32_t *next_r, struct arena *a, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->number(inner_of(b), keys, n, synced, uids, next_r, a, t);
}

static enum err faulty_sync_numbers(struct store_box *b, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->sync_numbers(inner_of(b), t);
}

static enum err faulty_expunge(struct store_box *b, struct span key, struct span hint,
			       struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->expunge(inner_of(b), key, hint, t);
}

static enum err faulty_expunge_done(struct store_box *b, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->expunge_done(inner_of(b), t);
}

static enum err faulty_set_flags(struct store_box *b, struct span key, struct span hint,
				 struct mail_flags flags, struct arena *a, struct span *hint_r,
				 struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->set_flags(inner_of(b), key, hint, flags, a, hint_r, t);
}

static enum err faulty_claim(struct store_box *b, struct span key, struct span hint, struct arena *a, struct span *hint_r,
			     struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->claim(inner_of(b), key, hint, a, hint_r, t);
}

static enum err faulty_flags_done(struct store_box *b, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->flags_done(inner_of(b), t);
}

static enum err faulty_set_seen(struct store_box *b, const struct set *on, const struct set *off, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->set_seen(inner_of(b), on, off, t);
}

static enum err faulty_set_modseq_floor(struct store_box *b, uint64_t floor, struct errtext *t)
{
	enum err e = box_step(b, t);

	return e ? e : ops_of(b)->set_modseq_floor(inner_of(b), floor, t);
}

static size_t faulty_watch(struct store_box *b, const char *paths[4])
{
	return ops_of(b)->watch(inner_of(b), paths);
}

static uint64_t faulty_made(struct store_box *b)
{
	return ops_of(b)->made ? ops_of(b)->made(inner_of(b)) : 0;
}

static uint64_t faulty_dirs(struct store_box *b)
{
	return ops_of(b)->dirs ? ops_of(b)->dirs(inner_of(b)) : 0;
}

static enum err faulty_token(struct store_box *b, struct span before, struct arena *a, struct span *token_r)
{
	return ops_of(b)->token ? ops_of(b)->token(inner_of(b), before, a, token_r) : ERR_CANNOT;
}

static size_t faulty_watch_list(struct store *s, const char *paths[4], bool (**cares_r)(const char *name, bool dir))
{
	struct store *inner = faulty_of(s)->inner;

	return inner->ops->watch_list ? inner->ops->watch_list(inner, paths, cares_r) : 0;
}

static const char *faulty_folder_dir(struct store *s, const char *name, struct arena *a)
{
	struct store *inner = faulty_of(s)->inner;

	return inner->ops->folder_dir ? inner->ops->folder_dir(inner, name, a) : NULL;
}

static const struct store_ops store_faulty_table = {
	.driver = "faulty",
	.separator = '.',
	.bad_chars = "./",
	.shared_keywords = MAIL_KEYWORDS_MAX,
	.probe = faulty_probe,
	.open = faulty_open,
	.close = faulty_close,
	.list = faulty_list,
	.watch_list = faulty_watch_list,
	.folder_dir = faulty_folder_dir,
	.create = faulty_create,
	.remove = faulty_remove,
	.rename = faulty_rename,
	.subscriptions = faulty_subscriptions,
	.subscribe = faulty_subscribe,
	.box_open = faulty_box_open,
	.box_close = faulty_box_close,
	.identity = faulty_identity,
	.identify = faulty_identify,
	.keywords = faulty_keywords,
	.keyword_add = faulty_keyword_add,
	.prepare = faulty_prepare,
	.changed = faulty_changed,
	.scan = faulty_scan,
	.scan_new = faulty_scan_new,
	.locate = faulty_locate,
	.stage = faulty_stage,
	.commit_many = faulty_commit_many,
	.place_many = faulty_place_many,
	.settle = faulty_settle,
	.abort = faulty_abort,
	.link = faulty_link,
	.number = faulty_number,
	.sync_numbers = faulty_sync_numbers,
	.expunge = faulty_expunge,
	.expunge_done = faulty_expunge_done,
	.set_flags = faulty_set_flags,
	.claim = faulty_claim,
	.flags_done = faulty_flags_done,
	.set_seen = faulty_set_seen,
	.set_modseq_floor = faulty_set_modseq_floor,
	.watch = faulty_watch,
	.made = faulty_made,
	.dirs = faulty_dirs,
	.token = faulty_token,
};

const struct store_ops *store_faulty_ops(void)
{
	return &store_faulty_table;
}
