// Not fcgi_stdio.h: it redefines FILE and printf for everyone who imports it.
#include <fcgiapp.h>
#include <fastcgi.h>

// Linux's readiness calls, which Swift's Glibc module leaves out.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <malloc.h>
