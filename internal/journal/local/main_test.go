package local

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimDir) != "" {
		fmt.Fprintln(os.Stderr, victim())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
