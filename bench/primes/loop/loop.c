/* loop FROM TO TIMES counts the primes of a range TIMES times by libprimesieve
   on one thread and prints the count and the nanoseconds of one time. */
#include <inttypes.h>
#include <primesieve.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
	if (argc != 4)
		return 2;
	uint64_t from = strtoull(argv[1], 0, 10), to = strtoull(argv[2], 0, 10), count = 0;
	long times = atol(argv[3]);
	struct timespec begin, end;

	primesieve_set_num_threads(1);
	count = primesieve_count_primes(from, to);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < times; i++)
		count = primesieve_count_primes(from, to);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double ns = (end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec);
	printf("%" PRIu64 " %.0f\n", count, ns / times);
	return 0;
}
