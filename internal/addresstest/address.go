// Package addresstest has addresses for tests that stop listening at one and
// listen there again, or hold that nobody listens there.
//
// What a system gives for port 0 is anybody's once nobody listens there: of the
// next test that asks, in this process or beside it. The ports of this package
// are below those that systems give.
package addresstest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports: Linux gives those from 32768 on, others from 49152 on.
const (
	first = 10_000
	last  = 32_767
	tries = 100
)

// Free is an address of this machine at which nobody listens.
func Free(t testing.TB) string {
	t.Helper()
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first+1)))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatalf("of %d addresses none is free", tries)
	return ""
}
