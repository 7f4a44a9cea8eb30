package descriptor

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestIsShort(t *testing.T) {
	for number, want := range map[syscall.Errno]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, syscall.ENOBUFS: true, syscall.ENOMEM: true,
		syscall.ECONNREFUSED: false, syscall.EAGAIN: false, 0: false,
	} {
		if err := fmt.Errorf("dial: %w", os.NewSyscallError("socket", number)); IsShort(err) != want {
			t.Errorf("%v: %v", number, !want)
		}
	}
	if IsShort(nil) {
		t.Error("no error is none")
	}
}

// TestBound: the last number that clients may have is the one below the bound.
func TestBound(t *testing.T) {
	b := Bound(100)
	if b.Exceeded(99) || !b.Exceeded(100) {
		t.Error("not the 101st is the first that is too many")
	}
	if Bound(1).Room() {
		t.Error("there is room below 1, where standard input is")
	}
	if n := NewBound(); !n.Room() {
		t.Errorf("there is no room below %d", n)
	}
}
