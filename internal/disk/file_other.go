//go:build !linux

package disk

import "os"

// file is an *os.File. Its Sync is a full one; on macOS that is F_FULLFSYNC,
// which alone empties the cache of the drive.
type file struct{ *os.File }

func newFile(f *os.File) File { return file{f} }
