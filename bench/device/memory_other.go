//go:build !linux

package device

// Check trusts that temporary directories lie on a disk, as they do where
// nobody chose otherwise.
func Check(string) error { return nil }
