package sieve

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadCacheSizes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		files  map[string]string
		l1, l2 int
	}{
		{"none", nil, usualL1, usualL2},
		{"usual names", map[string]string{
			"index0/level": "1\n", "index0/type": "Data\n", "index0/size": "48K\n",
			"index1/level": "1\n", "index1/type": "Instruction\n", "index1/size": "64K\n",
			"index2/level": "2\n", "index2/type": "Unified\n", "index2/size": "1280K\n",
			"index3/level": "3\n", "index3/type": "Unified\n", "index3/size": "32768K\n",
		}, 48 << 10, 1280 << 10},
		{"no sizes", map[string]string{"index0/level": "1", "index0/type": "Data", "index0/size": "0K"}, usualL1, usualL2},
		{"nonsense", map[string]string{"index0/level": "2", "index0/type": "Unified", "index0/size": "99999999999K"}, usualL1, usualL2},
	} {
		dir := t.TempDir()
		for name, text := range tt.files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if l1, l2 := readCacheSizes(dir); l1 != tt.l1 || l2 != tt.l2 {
			t.Errorf("%s: %d and %d, want %d and %d", tt.name, l1, l2, tt.l1, tt.l2)
		}
	}
}
