package forwardtest

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// verifyNoLeaks holds, when everything the test started has ended, that no
// goroutine and no descriptor is left.
func verifyNoLeaks(t testing.TB) {
	t.Helper()
	before, ignore := descriptors(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if err := goleak.Find(ignore); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
		limit := time.Now().Add(patience)
		after := descriptors()
		for after > before && time.Now().Before(limit) {
			<-time.After(10 * time.Millisecond) // a kernel's close is done when it is done
			after = descriptors()
		}
		if after > before {
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
	})
}

// descriptors counts the open files of this process; 0 where nobody tells.
func descriptors() int {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if list, err := os.ReadDir(dir); err == nil {
			return len(list)
		}
	}
	return 0
}
