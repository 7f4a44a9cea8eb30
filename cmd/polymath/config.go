package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/polymath-run/polymath"
)

// envPrefix begins the environment variables that stand for flags: --skip-dead
// is POLYMATH_SKIP_DEAD. Flags of a command that has a file of its own have its
// name in theirs: --listen of balance is POLYMATH_BALANCE_LISTEN, as a balancer
// and a server may have one environment, and cannot have one address.
const envPrefix = "POLYMATH_"

// maxConfigBytes bounds the configuration file.
const maxConfigBytes = 1 << 20

// configure gives flags that were not typed their values: from the environment,
// then from the configuration file. The parameters of functions have none: a
// calculation stands on its command line.
func (s *settings) configure(cmd *cobra.Command) error {
	s.typed = make(map[string]bool)
	cmd.Flags().Visit(func(f *pflag.Flag) { s.typed[f.Name] = true })
	if err := s.fromEnvironment(cmd); err != nil {
		return err
	}
	return s.fromFile(cmd)
}

// isSetting reports whether a flag may stand elsewhere than on the command
// line.
func isSetting(f *pflag.Flag) bool {
	return !isParameter(f) && f.Name != "help" && f.Annotations[typedOnly] == nil
}

// Annotations of flags.
const (
	// typedOnly marks a flag that stands on the command line only.
	typedOnly = "polymath_typed_only"
	// ownFile marks a flag of a command that has a configuration file of its own:
	// the one for all commands does not know it, and its variable has the
	// command's name.
	ownFile = "polymath_own_file"
)

// annotate marks flags.
func annotate(flags *pflag.FlagSet, mark string, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, mark, []string{}); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// variable is the environment variable of a flag.
func variable(cmd *cobra.Command, f *pflag.Flag) string {
	name := f.Name
	if f.Annotations[ownFile] != nil {
		name = cmd.Name() + "-" + name
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func (s *settings) fromEnvironment(cmd *cobra.Command) (err error) {
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(cmd, f)
		text, given := s.lookup(name)
		if err != nil || f.Changed || !given || text == "" || !isSetting(f) {
			return
		}
		if bad := flags.Set(f.Name, text); bad != nil {
			err = polymath.Errorf(polymath.InvalidArgument, "the environment variable %s: %w", name, expected(bad))
		}
	})
	return err
}

// fromFile reads the configuration file: a YAML object whose keys are the names
// of flags, of whatever command. A file that was not asked for may be missing.
// As flags are the only settings, flags keep the values, and a parser is all
// that a file needs.
func (s *settings) fromFile(cmd *cobra.Command) error {
	path := s.config
	if path == "" {
		if path = s.configFile(); path == "" {
			return nil
		}
	}
	text, err := os.ReadFile(path)
	if s.config == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(text) > maxConfigBytes {
		err = fmt.Errorf("it has more than %d bytes", maxConfigBytes)
	}
	var values map[string]yaml.Node
	if err == nil {
		err = yaml.Unmarshal(text, &values)
	}
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "the configuration file %s: %w", path, err)
	}
	known := settingNames(cmd.Root())
	for _, name := range slices.Sorted(maps.Keys(values)) {
		node := values[name]
		if !slices.Contains(known, name) {
			return polymath.Errorf(polymath.InvalidArgument, "the configuration file %s, line %d: %w", path, node.Line, unknown("setting", name, known))
		}
		if err := set(cmd.Flags(), name, &node); err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "the configuration file %s, line %d: %s: %w", path, node.Line, name, expected(err))
		}
	}
	return nil
}

// configFile is where the configuration file lies when nobody says otherwise;
// "" where there is no place for it.
func (s *settings) configFile() string {
	if home, ok := s.lookup("XDG_CONFIG_HOME"); ok && filepath.IsAbs(home) {
		return filepath.Join(home, "polymath", "config.yaml")
	}
	if home, ok := s.lookup("HOME"); ok && home != "" {
		return filepath.Join(home, ".config", "polymath", "config.yaml")
	}
	return ""
}

// settingNames are the flags of all commands that may stand in the file, sorted.
func settingNames(root *cobra.Command) (names []string) {
	add := func(f *pflag.Flag) {
		if isSetting(f) && f.Name != "config" && f.Annotations[ownFile] == nil {
			names = append(names, f.Name)
		}
	}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.PersistentFlags().VisitAll(add)
		c.LocalNonPersistentFlags().VisitAll(add)
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(root)
	slices.Sort(names)
	return slices.Compact(names)
}

// set gives a flag a value of the file, where the command has that flag and it
// has none yet.
func set(flags *pflag.FlagSet, name string, node *yaml.Node) error {
	f := flags.Lookup(name)
	if f == nil || f.Changed || f.Annotations[ownFile] != nil {
		return nil
	}
	switch node.Kind {
	case yaml.ScalarNode:
		return flags.Set(name, node.Value)
	case yaml.SequenceNode:
		var list []string
		if _, several := f.Value.(pflag.SliceValue); !several {
			return errors.New("it takes one value, not a list")
		}
		if err := node.Decode(&list); err != nil {
			return err
		}
		return flags.Set(name, strings.Join(list, ","))
	default:
		return errors.New("it must be a value or a list of values")
	}
}
