package wal

import (
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

func TestEverySyncMatters(t *testing.T) { disktest.EverySyncMatters(t, 8, "-crash.seeds=40") }
