//go:build !race

package forward

// received is for the race detector.
func received(int32) {}

// sending is for the race detector.
func sending(int32) {}
