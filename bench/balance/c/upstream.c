// upstream answers every request on some ports of 127.0.0.1 with the same 200
// and a body of BYTES bytes: one thread, and as little work as can be. It knows
// requests without a body, and counts their ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_PORTS = 16, BUFFER = 64 << 10, EVENTS = 256, HEAD = 256 };

static char *answer;
static size_t size;

static void make_answer(size_t body) {
  answer = malloc(HEAD + body);
  size = snprintf(answer, HEAD,
                  "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
                  "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", body);
  memset(answer + size, 'x', body);
  size += body;
}

static int listen_on(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) {
    perror("upstream: listen");
    exit(1);
  }
  return fd;
}

static void watch(int poll, int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
}

static void send_answer(int fd) {
  for (size_t sent = 0; sent < size;) {
    ssize_t n = send(fd, answer + sent, size - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return;  // the next read closes it
    if (n < 0) {
      struct pollfd p = {.fd = fd, .events = POLLOUT};
      poll(&p, 1, 1000);
      continue;
    }
    sent += n;
  }
}

static void serve(int fd) {
  static char buffer[BUFFER];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    close(fd);
    return;
  }
  for (char *p = buffer; (p = memmem(p, buffer + n - p, "\r\n\r\n", 4)) != NULL; p += 4) send_answer(fd);
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 2 + MOST_PORTS) {
    fputs("usage: upstream BYTES PORT...\n", stderr);
    return 2;
  }
  make_answer(atol(argv[1]));
  int poll = epoll_create1(0), ports = argc - 2, listening[MOST_PORTS];
  for (int i = 0; i < ports; i++) watch(poll, listening[i] = listen_on(atoi(argv[2 + i])));
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(poll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd, is_new = 0;
      for (int k = 0; k < ports; k++) is_new |= listening[k] == fd;
      if (!is_new) {
        serve(fd);
        continue;
      }
      for (int c, one = 1; (c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(poll, c);
      }
    }
  }
}
