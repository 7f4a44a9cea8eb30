package forwardtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// verifyNoLeaks holds, when everything the test started has ended, that no
// goroutine and no socket is left.
func verifyNoLeaks(t testing.TB) {
	t.Helper()
	before, ignore := sockets(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if err := goleak.Find(ignore); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
		limit := time.Now().Add(patience)
		var left []string
		for {
			left = left[:0]
			for name := range sockets() {
				if !before[name] {
					left = append(left, name)
				}
			}
			if len(left) == 0 || time.Now().After(limit) {
				break
			}
			<-time.After(10 * time.Millisecond) // a kernel's close is done when it is done
		}
		if len(left) > 0 {
			t.Errorf("sockets are left: %v", left)
		}
	})
}

// sockets names the open sockets of this process, each by its inode; there are
// none where the system does not tell.
func sockets() map[string]bool {
	const dir = "/proc/self/fd"
	out := map[string]bool{}
	list, err := os.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, entry := range list {
		name, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if err == nil && len(name) > 7 && name[:7] == "socket:" {
			out[name] = true
		}
	}
	return out
}
