//go:build !linux

package disk

import "os"

// syncData is a full sync; on macOS that is F_FULLFSYNC, which alone empties
// the cache of the drive.
func syncData(f *os.File) error { return f.Sync() }
