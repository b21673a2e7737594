/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's events and their order (docs/design/023-exit-model.md): one container, its init (process 0) and
 * EXECS added processes, a client who does everything that may be done at any time, a kernel that
 * ends processes when it likes, and a daemon that takes an event and dies before it says so.
 *
 *   spin -a exits.pml; cc -o pan pan.c; ./pan             no error: the rules hold
 *   spin -DMUTANT=n …                                      an error: the rule n is needed
 *   spin -DTRACE … ; TRACE="0create 0start …" ./pan        an error: the shim may publish that
 *
 * Names are those of src/cmd/shim-runc (runc_start.c, runc_exit.c, runc_delete.c) and src/shim
 * (shim_reaper.c, shim_publisher.c). Each atomic step is one callback of the shim's loop.
 */
#ifndef EXECS
#define EXECS 2
#endif
#ifndef MUTANT
#define MUTANT 0
#endif
#define P (EXECS + 1)
#define init_id 0

mtype = { create, start, added, started, exited, deleted };	      /* events */
mtype = { none, is_created, running, stopped, gone };		      /* states */
mtype = { idle, making, starting, deleting };			      /* what the turn's holder does */

/* The kernel's */
bool forked[P], dead[P], reaped[P];

/* The shim's */
mtype state[P] = none, doing[P] = idle; /* not idle: somebody has the process's turn */
bool watched[P];			/* the reaper knows whom to tell of its end */
bool early[P];				/* ended before anybody knew the pid */
bool has_exited[P], told[P];
bool counts[P];				/* the init's exit waits for this exec's */
byte live, holds;
bool waits_for_execs;
byte exec_count;

/* What the daemon has been told */
bool got_create, got_start, got_delete, got_added[P], got_started[P], got_exit[P];

#ifdef TRACE
/* Events must come as recorded. A step that would publish something else leads nowhere. */
c_decl {
	static int trace_event[256], trace_process[256], trace_size = -1;
	static void read_trace(void)
	{
		static const char *const names[] = { "create", "start", "exec-added",
			"exec-started", "exit", "delete" };
		char *copy = strdup(getenv("TRACE")), *at = copy, *word;

		trace_size = 0;
		while ((word = strsep(&at, " ")) != NULL && trace_size < 256) {
			for (int i = 0; i < 6; i++)
				if (*word != '\0' && strcmp(word + 1, names[i]) == 0) {
					trace_process[trace_size] = *word - '0';
					trace_event[trace_size++] = i;
				}
		}
	}
	static int fits(int at, int event, int process)
	{
		return at < trace_size && trace_event[at] == event &&
		       trace_process[at] == process;
	}
}
bool lost_way = false;
byte at = 0, ev, who, size;
bool fit;

inline publish(event, p)
{
	ev = (event == create -> 0 : (event == start -> 1 : (event == added -> 2 :
		(event == started -> 3 : (event == exited -> 4 : 5)))));
	who = p;
	c_code { now.fit = fits(now.at, now.ev, now.who); };
	if
	:: fit -> at++
	:: else -> lost_way = true
	fi;
	fit = false;
	ev = 0;
	who = 0
}
#define MAY(condition) (!lost_way && (condition))

active proctype whole_trace()
{
	c_code { if (trace_size < 0) read_trace(); now.size = trace_size; };
end:
	at == size && size > 0 && !lost_way;
	assert(false) /* that is: it was found */
}

#else
#define MAY(condition) (condition)
chan queue = [4 * P] of { mtype, byte };

inline publish(event, p)
{
	queue!event, p
}

/* The rules. Said twice in a row is said once: a daemon died before it could answer. */
mtype last_event;
byte last_process;

inline tell(event, p)
{
	if
	:: event == last_event && p == last_process
	:: else ->
		assert(!got_delete); /* nothing comes after it */
		if
		:: event == create -> assert(!got_create); got_create = true
		:: event == start -> assert(got_create && !got_start && !got_exit[init_id]); got_start = true
		:: event == added -> assert(got_create && !got_added[p]); got_added[p] = true
		:: event == started ->
			assert(got_added[p] && !got_started[p] && !got_exit[init_id]);
			got_started[p] = true
		:: event == exited && p == init_id ->
			assert(got_create && !got_exit[init_id]);
			got_exit[init_id] = true;
			for (k : 1 .. EXECS) {
				assert(!got_started[k] || got_exit[k]) /* the init's is the last */
			}
			k = 0
		:: event == exited && p != init_id ->
			assert(got_started[p] && !got_exit[p]);
			got_exit[p] = true
		:: event == deleted -> assert(got_exit[init_id]); got_delete = true
		fi;
		last_event = event;
		last_process = p
	fi
}

/* One event at a time; it stays the first until the daemon has answered. */
active proctype publisher()
{
	mtype event;
	byte p, k, deaths;

end:
	do
	:: atomic { queue?<event, p> ->
		tell(event, p);
		if
		:: queue?event, p
		:: deaths < 2 -> deaths++ /* no answer: again */
#if MUTANT == 4
		:: deaths < 2 -> deaths++; queue?event, p; queue!event, p /* behind the others */
#elif MUTANT == 5
		:: deaths < 2 && len(queue) > 1 -> deaths++; queue?event, p; queue?event, p /* forgotten */
#endif
		fi }
	od
}

/* When nothing more can happen, every process that was told of has its exit told. */
active proctype end_of_all()
{
	byte k;

	timeout;
	for (k : 0 .. EXECS) {
		assert(!(forked[k] && (got_started[k] || (k == init_id && got_create))) || got_exit[k])
	}
	assert(!got_create || got_delete)
}
#endif

/* The reaper has told of the end: it is published in a turn of the process. */
inline is_known(p)
{
	watched[p] = false;
	has_exited[p] = true;
#if MUTANT == 1
	told[p] = true; /* at once */
	publish(exited, p)
#endif
}

inline watch(p)
{
	if
	:: !reaped[p] -> watched[p] = true
	:: reaped[p] && early[p] -> early[p] = false; is_known(p)
	:: else -> assert(false) /* its exit status is lost */
	fi
}

inline release()
{
	holds--;
	if
	:: holds == 0 ->
		for (k : 0 .. EXECS) {
			early[k] = false
		}
		k = 0
	:: else
	fi
}

inline uncount(p)
{
	if
	:: counts[p] -> counts[p] = false; live--
	:: else
	fi
}

#if MUTANT == 2
#define ALL_TOLD true
#else
#define ALL_TOLD (live == 0)
#endif
#if MUTANT == 3
#define KEEPS_EARLY false
#else
#define KEEPS_EARLY (holds > 0)
#endif
#if MUTANT == 6
#define NO_EXECS true
#else
#define NO_EXECS (live == 0)
#endif

/* What kernel and reaper do with any process. */
#define OF_ALL(p)                                                                              \
	:: atomic { MAY(forked[p] && !dead[p]) -> dead[p] = true }			       \
	:: atomic { MAY(dead[p] && !reaped[p]) ->					       \
		reaped[p] = true;							       \
		if									       \
		:: watched[p] -> is_known(p)						       \
		:: !watched[p] && KEEPS_EARLY -> early[p] = true			       \
		:: else									       \
		fi }

active proctype container()
{
	byte k;

end:
	do
	OF_ALL(init_id)
	/* Create */
	:: atomic { MAY(state[init_id] == none && doing[init_id] == idle) ->
		doing[init_id] = making; holds++ }
	:: atomic { MAY(doing[init_id] == making && !forked[init_id]) -> forked[init_id] = true }
	:: atomic { MAY(doing[init_id] == making && forked[init_id]) ->
		state[init_id] = is_created;
		publish(create, init_id);
		watch(init_id);
		release();
		doing[init_id] = idle }
	/* Start; a runtime may fail for whatever reason */
	:: atomic { MAY(state[init_id] == is_created && doing[init_id] == idle) ->
		doing[init_id] = starting }
	:: atomic { MAY(doing[init_id] == starting) ->
		state[init_id] = running;
		publish(start, init_id);
		doing[init_id] = idle }
	:: atomic { MAY(doing[init_id] == starting) -> doing[init_id] = idle }
	/* its exit: first turn, wait for execs, last turn */
	:: atomic { MAY(has_exited[init_id] && !told[init_id] && !waits_for_execs && doing[init_id] == idle) ->
		waits_for_execs = true }
	:: atomic { MAY(waits_for_execs && !told[init_id] && ALL_TOLD && doing[init_id] == idle) ->
		told[init_id] = true;
		state[init_id] = stopped;
		publish(exited, init_id) }
	/* Delete: of one that was never started the runtime kills what there is */
	:: atomic { MAY((state[init_id] == stopped || state[init_id] == is_created) && doing[init_id] == idle) ->
		doing[init_id] = deleting }
	:: atomic { MAY(doing[init_id] == deleting && !dead[init_id]) -> dead[init_id] = true }
	:: atomic { MAY(doing[init_id] == deleting && has_exited[init_id] && NO_EXECS) ->
		if
		:: !told[init_id] -> told[init_id] = true; publish(exited, init_id)
		:: else
		fi;
		state[init_id] = gone;
		publish(deleted, init_id);
		doing[init_id] = idle }
	od
}

active [EXECS] proctype exec_process()
{
	/* Instances are numbered after those above. */
	byte p = 0, k;

	atomic {
		exec_count++;
		p = exec_count
	};
end:
	do
	OF_ALL(p)
	:: atomic { MAY(state[p] == none && (state[init_id] == is_created || state[init_id] == running)) ->
		state[p] = is_created;
		publish(added, p) }
	/* Start */
	:: atomic { MAY(state[p] == is_created && doing[p] == idle && !has_exited[init_id] && state[init_id] != gone) ->
		doing[p] = making; holds++; counts[p] = true; live++ }
	:: atomic { MAY(doing[p] == making && !forked[p] && !dead[init_id]) -> forked[p] = true }
	:: atomic { MAY(doing[p] == making && forked[p]) ->
		state[p] = running;
		publish(started, p);
		watch(p);
		release();
		doing[p] = idle }
	:: atomic { MAY(doing[p] == making && !forked[p]) ->
		release();
		uncount(p);
		doing[p] = idle }
	/* its exit */
	:: atomic { MAY(has_exited[p] && !told[p] && doing[p] == idle) ->
		told[p] = true;
		state[p] = stopped;
		publish(exited, p);
		uncount(p) }
	/* Delete */
	:: atomic { MAY((state[p] == stopped || state[p] == is_created) && doing[p] == idle) -> state[p] = gone }
	od
}
