//go:build !linux

package archive

import "errors"

// playFull is for Linux, where a test may mount a disk of its own.
func playFull(string, uint64) error { return errors.New("no small disk to fill") }
