// Not fcgi_stdio.h: it redefines FILE and printf for everyone who imports it.
#include <fcgiapp.h>
#include <fastcgi.h>

// Linux's readiness calls, which Swift's Glibc module leaves out.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <malloc.h>
#include <stddef.h>

// These are declared only with _GNU_SOURCE.
extern void *memmem(const void *, size_t, const void *, size_t);
extern int accept4(int, void *, void *, int);
