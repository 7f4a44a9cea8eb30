package checkpoint

import (
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

func TestEverySyncMatters(t *testing.T) { disktest.EverySyncMatters(t, 6, "-crash.seeds=200") }
