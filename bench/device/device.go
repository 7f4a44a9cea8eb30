// Package device knows the disk that is measured on: that it is one, and how
// long a sync takes, which is what durable systems mostly do.
package device

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Size and number of the appends that are measured.
const (
	appendBytes = 4096
	appends     = 501 // about 0.2 s, and the middle one is well known
)

// SyncTime is how long an append of 4 KiB to a growing file and its sync take
// in the directory: the median of some hundred.
func SyncTime(dir string) (median time.Duration, err error) {
	path := filepath.Join(dir, "sync-time")
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	block := make([]byte, appendBytes)
	took := make([]time.Duration, appends)
	for i := range took {
		begun := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
