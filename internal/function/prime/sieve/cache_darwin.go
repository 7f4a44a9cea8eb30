package sieve

import "golang.org/x/sys/unix"

// cacheSizes are the sizes of the data caches next to a core, as the kernel
// knows them: those of the fast cores where there are two kinds.
func cacheSizes() (l1, l2 int) { return chooseCacheSizes(unix.SysctlUint64) }
