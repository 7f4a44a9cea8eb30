package addresstest

import (
	"net"
	"testing"
)

func TestAnyIsFree(t *testing.T) {
	address, err := Any()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
