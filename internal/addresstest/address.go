// Package addresstest has addresses for tests and benchmarks that stop listening at one and
// listen there again, or hold that nobody listens there.
//
// What a system gives for port 0 is anybody's once nobody listens there: of the
// next test that asks, in this process or beside it. The ports of this package
// are below those that systems give.
package addresstest

import (
	"fmt"
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

// Any is an address of this machine at which nobody listens.
func Any() (string, error) {
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first+1)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("of %d addresses none is free", tries)
}

// Free is Any for a test.
func Free(t testing.TB) string {
	t.Helper()
	address, err := Any()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
