/* In place of faults.c, where calls are made to fail from outside of the process: those of the C
 * library are as they are. */
#define _GNU_SOURCE
#include "faults.h"

#include <stddef.h>

struct faults_state *faults;

int faults_thread(pthread_t *thread, void *(*run)(void *), void *data)
{
    return pthread_create(thread, NULL, run, data);
}
