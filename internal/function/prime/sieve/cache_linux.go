package sieve

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cacheSizes are the sizes of the data caches next to a core, as the kernel
// describes those of the first one.
func cacheSizes() (l1, l2 int) { return readCacheSizes("/sys/devices/system/cpu/cpu0/cache") }

func readCacheSizes(dir string) (l1, l2 int) {
	l1, l2 = usualL1, usualL2
	indexes, _ := filepath.Glob(filepath.Join(dir, "index*"))
	for _, index := range indexes {
		size := cacheBytes(readLine(index, "size"))
		switch level, kind := readLine(index, "level"), readLine(index, "type"); {
		case size == 0:
		case level == "1" && kind == "Data":
			l1 = size
		case level == "2" && kind != "Instruction":
			l2 = size
		}
	}
	return l1, l2
}

// readLine reads a file of one line; one that cannot be read is empty.
func readLine(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// cacheBytes reads sizes as the kernel writes them, such as 32K; 0 stands for
// what is no size a cache has, 8 KiB to 64 MiB.
func cacheBytes(text string) int {
	digits, isKilo := strings.CutSuffix(text, "K")
	n, err := strconv.Atoi(digits)
	if err != nil || !isKilo || n < leastCache>>10 || n > mostCache>>10 {
		return 0
	}
	return n << 10
}
