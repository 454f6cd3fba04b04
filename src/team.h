/* The thread team. The only file with OpenMP. One parallel region per evaluation; inside, every
 * member runs the same function and meets the others at barriers. */
#ifndef TEAM_H
#define TEAM_H

#include "gpt2c/gpt2c.h"

struct team;
typedef void (*team_fn)(struct team *tm, int32_t member, void *arg);
typedef void (*team_task_fn)(void *arg, int32_t task, int32_t member);

/* Runs fn on up to n_threads members, member 0 being the caller; fewer when the runtime grants
 * fewer. Returns when all are done. */
void team_run(int32_t n_threads, team_fn fn, void *arg);
/* Inside fn: waits for all members. What a member wrote before is visible to all after. Spins
 * briefly, then yields, so that busy cores are not held up. */
void team_barrier(struct team *tm);
/* Inside fn, called by every member alike: runs fn(arg, task, member) once for each task =
 * 0 … n_tasks-1, each on some member, and ends with a barrier. Tasks are a fixed grid: results must
 * not depend on which member runs which. */
void team_for(struct team *tm, int32_t member, int32_t n_tasks, team_task_fn fn, void *arg);
int32_t team_size(const struct team *tm);

#endif
