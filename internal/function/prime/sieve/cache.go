package sieve

func cacheSizes() (l1, l2 int) { return 32 << 10, 1024 << 10 }
