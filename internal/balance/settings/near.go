package settings

import (
	"fmt"
	"strings"
)

// unknown says that a field does not exist, and which one was probably meant;
// without any such, which there are.
func unknown(name string, known []string) string {
	var near []string
	for _, k := range known {
		if distance(name, k) <= max(1, len(name)/3) || len(name) > 1 && strings.HasPrefix(k, name) {
			near = append(near, k)
		}
	}
	if len(near) > 0 {
		return fmt.Sprintf("there is no field %q: did you mean %s?", clip(name), strings.Join(near, " or "))
	}
	return fmt.Sprintf("there is no field %q: there are %s", clip(name), strings.Join(known, ", "))
}

// longestName bounds what is compared: no field has a longer name.
const longestName = 64

// distance is how many letters must be inserted, deleted or changed to make b
// of a (Levenshtein, 1965).
func distance(a, b string) int {
	if len(a) > longestName {
		return len(a)
	}
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
		}
		last, row = row, last
	}
	return last[len(b)]
}
