package device

import (
	"os"
	"testing"
)

func TestSyncTimeLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	took, err := SyncTime(dir)
	if err != nil || took <= 0 {
		t.Fatal(took, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if _, err := SyncTime(dir + "/missing"); err == nil {
		t.Error("a directory that is not there was measured")
	}
}
