// glibc (2.30) declares it only with _GNU_SOURCE, so Swift's module Glibc does not include it.
#include <semaphore.h>

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline);
