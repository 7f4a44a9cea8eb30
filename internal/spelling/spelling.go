// Package spelling finds what was probably meant by a name that is none of the
// known ones.
package spelling

import "strings"

// longest bounds what is compared, in bytes: no known name is longer.
const longest = 256

// Hint is what to say of a name that does not exist: which were probably meant;
// without any such, which there are.
func Hint(name string, known []string) string {
	if meant := Near(name, known); len(meant) > 0 {
		return "did you mean " + strings.Join(meant, " or ") + "?"
	}
	return "there are " + strings.Join(known, ", ")
}

// Near are the known names that are like a name: one slip of a finger away, or
// one in three of its letters, or begun as it is.
func Near(name string, known []string) (like []string) {
	if len(name) > longest {
		return nil
	}
	for _, k := range known {
		if distance(name, k) <= max(1, len(name)/3) || len(name) > 1 && strings.HasPrefix(k, name) {
			like = append(like, k)
		}
	}
	return like
}

// distance is how many letters must be inserted, deleted, changed or swapped
// with their neighbour to make b of a (Damerau, 1964).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
