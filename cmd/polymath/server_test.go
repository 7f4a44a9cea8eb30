package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestComplaints: a server that is away for a while is a line of the log each
// ten seconds, not one each try.
func TestComplaints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		complain := complaints(slog.New(slog.NewTextHandler(&out, nil)), "http://127.0.0.1:1")
		for range 250 { // 25 s
			complain(errors.New("refused"))
			<-time.After(100 * time.Millisecond)
		}
		if got := strings.Count(out.String(), "no connection to the server"); got != 3 {
			t.Errorf("%d lines in 25 s, want 3: %s", got, &out)
		}
	})
}
