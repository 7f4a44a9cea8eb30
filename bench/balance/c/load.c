// load keeps CONNECTIONS connections to 127.0.0.1:PORT busy for SECONDS, each
// with one GET at a time, and says what came of it in one line:
//
//   requests 123 failed 0 seconds 3.000 p50 812 p99 1907      (microseconds)
//
// One thread, and as little work as can be: it shares its core with the
// upstreams, and what it costs is missing to them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_MICROS = 2000000, BUFFER = 256 << 10, EVENTS = 256 };

struct connection {
  int fd;
  double asked;  // when, in microseconds
  long missing;  // bytes of the answer; 0: its head has not come
};

static unsigned taken[MOST_MICROS];  // how many answers took so many microseconds
static char buffer[BUFFER];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int dial(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) {
    perror("load: connect");
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

// percentile is the least time that so many of a hundred answers did not exceed.
static long percentile(long answers, int of_hundred) {
  long wanted = answers * of_hundred / 100, seen = 0, t = 0;
  while (t < MOST_MICROS - 1 && (seen += taken[t]) < wanted) t++;
  return t;
}

// take reads what came on a connection. It returns 1 when an answer is whole, 0
// when more is to come, and -1 when the answer is wrong or the connection gone.
static int take(struct connection *c) {
  ssize_t n = recv(c->fd, buffer, BUFFER - 1, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) return -1;
  if (c->missing == 0) {
    buffer[n] = 0;
    char *end = memmem(buffer, n, "\r\n\r\n", 4), *length = strcasestr(buffer, "content-length:");
    if (end == NULL || length == NULL || memcmp(buffer + 9, "200", 3)) return -1;
    c->missing = atol(length + 15) + (end + 4 - buffer);
  }
  return (c->missing -= n) == 0;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fputs("usage: load PORT CONNECTIONS SECONDS\n", stderr);
    return 2;
  }
  int port = atoi(argv[1]), connections = atoi(argv[2]), poll = epoll_create1(0);
  char request[128];
  int size = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port);
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
    all[i].fd = dial(port);
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &e);
  }
  double begin = now(), end = begin + atof(argv[3]) * 1e6, t;
  long answers = 0, failed = 0;
  for (int i = 0; i < connections; i++) {
    all[i].asked = now();
    if (send(all[i].fd, request, size, MSG_NOSIGNAL) != size) failed++;
  }
  struct epoll_event events[EVENTS];
  while ((t = now()) < end) {
    int n = epoll_wait(poll, events, EVENTS, 200);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      int whole = take(c);
      if (whole == 0) continue;
      if (whole < 0) {  // from here on this connection does nothing: the run is void
        failed++;
        close(c->fd);
        continue;
      }
      t = now();
      long micros = t - c->asked;
      taken[micros < MOST_MICROS ? micros : MOST_MICROS - 1]++;
      answers++;
      c->asked = t;
      if (send(c->fd, request, size, MSG_NOSIGNAL) != size) failed++;
    }
  }
  printf("requests %ld failed %ld seconds %.3f p50 %ld p99 %ld\n", answers, failed, (t - begin) / 1e6,
         percentile(answers, 50), percentile(answers, 99));
  return 0;
}
