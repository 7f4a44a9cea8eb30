package device

import (
	"strings"
	"testing"
)

func TestCheckRefusesMemory(t *testing.T) {
	if err := Check("/dev/shm"); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("memory was accepted: %v", err)
	}
	if err := Check(t.TempDir() + "/missing"); err == nil {
		t.Error("a directory that is not there was accepted")
	}
}
