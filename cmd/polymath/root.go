package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/spelling"
)

// surroundings are all the program sees of the process it runs in.
type surroundings struct {
	lookup         func(string) (string, bool) // the environment
	stdin          io.Reader
	stdout, stderr io.Writer
	width          func() int // of the terminal behind stderr; 0: there is none
	terminal       bool       // stdout is one: what would steer it is escaped
}

// settings are the flags every command understands.
type settings struct {
	surroundings
	data   string // the data directory; "" is the default
	config string // the configuration file; "" is the default
	output string // outputText or outputJSON
	dev    bool
	typed  map[string]bool // the flags on the command line
}

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, s surroundings) int {
	root := rootCommand(&settings{surroundings: s})
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		plainUsage(root)
	}
	root.SetArgs(shieldNegatives(root, dropDashes(root, args)))
	root.SetIn(s.stdin)
	root.SetOut(s.stdout)
	root.SetErr(s.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return polymath.ExitDone
	}
	code := polymath.CodeOf(err).ExitCode()
	// A failed write here has nowhere to be reported.
	_, _ = fmt.Fprintf(s.stderr, "polymath: %s\n", printableLines(err.Error()))
	if code == polymath.ExitUsage {
		_, _ = fmt.Fprintf(s.stderr, "See '%s --help'.\n", cmd.CommandPath())
	}
	return code
}

// rootCommand is the whole tree of commands.
func rootCommand(s *settings) *cobra.Command {
	asked := false // for the version
	root := &cobra.Command{
		Use:   "polymath",
		Short: "Calculate on every core, survive any crash, count every result exactly once",
		Example: `  polymath run primes --to 1e9
  polymath run add 0.1 0.2
  polymath functions
  polymath up
  polymath submit primes --to 1e12
  polymath watch`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.configure(cmd); err != nil {
				return err
			}
			return s.check()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return unknown("command", args[0], subcommands(cmd))
			case asked:
				return s.printVersion()
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&asked, "version", false, "print the version of the program")
	annotate(root.Flags(), typedOnly, "version")
	flags := root.PersistentFlags()
	flags.StringVar(&s.data, "data", "", "the `directory` of the data (default $XDG_STATE_HOME/polymath or ~/.local/state/polymath)")
	flags.StringVar(&s.config, "config", "", "the configuration `file` (default $XDG_CONFIG_HOME/polymath/config.yaml or ~/.config/polymath/config.yaml)")
	flags.StringVar(&s.output, "output", outputText, "the `form` of the result: text or json")
	flags.BoolVar(&s.dev, "dev", false, "offer the functions for trials, too: sleep and fail")
	complete(root, "output", outputText, outputJSON)
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(runCommand(s), upCommand(s), serverCommand(s), workerCommand(s),
		submitCommand(s), jobsCommand(s), jobCommand(s), watchCommand(s), cancelCommand(s),
		deadCommand(s), queuesCommand(s), workersCommand(s), balanceCommand(s),
		verifyCommand(s), functionsCommand(s), simCommand(s), manCommand(s), versionCommand(s))
	refuseStrangers(root)
	plainNumbers(root)
	return root
}

// complete names the values of a flag for shell completion. It fails only for
// a flag that does not exist.
func complete(cmd *cobra.Command, flag string, values ...string) {
	completeFrom(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFrom completes the values of a flag by a function.
func completeFrom(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err)
	}
}

// subcommands are the names of what can follow a command.
func subcommands(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// check refuses values the flag package could not judge.
func (s *settings) check() error {
	if !slices.Contains([]string{outputText, outputJSON}, s.output) {
		return polymath.Errorf(polymath.InvalidArgument, "--output is %q: it must be text or json", s.output)
	}
	return nil
}

// directory is where the data lies.
func (s *settings) directory() (string, error) {
	if s.data != "" {
		return s.data, nil
	}
	return app.DefaultDirectory(s.lookup)
}

// maxFileBytes bounds what is read for an input: a longer list would not pass
// the limit of 64 KiB on an input anyway.
const maxFileBytes = 1 << 20

// readArgument reads what an argument stands for: itself, @file for what is in
// a file, or - for standard input.
func (s *settings) readArgument(text string) (string, error) {
	var from io.Reader
	switch {
	case text == "-":
		from = s.stdin
	case strings.HasPrefix(text, "@"):
		f, err := os.Open(text[1:])
		if err != nil {
			return "", polymath.Errorf(polymath.InvalidArgument, "read the input: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	default:
		return text, nil
	}
	data, err := io.ReadAll(io.LimitReader(from, maxFileBytes+1))
	switch {
	case err != nil:
		return "", polymath.Errorf(polymath.InvalidArgument, "read the input: %w", err)
	case len(data) > maxFileBytes:
		return "", polymath.Errorf(polymath.TooLarge, "the input behind %s is longer than %d bytes: split it over several jobs", text, maxFileBytes)
	}
	return string(data), nil
}

// badFlag says what is wrong with a flag, and which one was probably meant.
func badFlag(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return polymath.Errorf(polymath.InvalidArgument, "%w", expected(err))
	}
	// The flags before the function's name are read by run, which cannot know
	// those of a function that does not exist.
	name := cmd.Flags().Arg(0)
	switch {
	case name == "":
	case cmd.Name() == runName:
		return unknown("function", name, subcommands(cmd))
	case cmd.Name() == submitName:
		hint := ""
		if meant := spelling.Near(name, subcommands(cmd)); len(meant) > 0 {
			hint = ", or did you mean " + strings.Join(meant, " or ") + "?"
		}
		return polymath.Errorf(polymath.InvalidArgument, "the function %.40q is not built in: give its input as --input '{...}'%s", name, hint)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	typed := missing.GetSpecifiedName()
	if short := missing.GetSpecifiedShortnames(); short != "" { // -to is -t and -o to the flag package
		typed = short
	}
	return unknown("flag", "--"+typed, names)
}

// expected says what a flag takes, where the flag package says how it failed to
// read it.
func expected(err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	kind := bad.GetFlag().Value.Type()
	_, usage := pflag.UnquoteUsage(bad.GetFlag())
	switch kind {
	case "bool":
		kind = "true or false"
	case "duration":
		kind = "a duration such as 90s or 12h"
	case numberType:
		if wholeNumber.MatchString(bad.GetValue()) {
			return fmt.Errorf("--%s is %.40s, which is out of range: %s", bad.GetFlag().Name, bad.GetValue(), usage)
		}
		kind = "a whole number"
	default:
		return err
	}
	return fmt.Errorf("--%s is %.40q: it must be %s (%s)", bad.GetFlag().Name, bad.GetValue(), kind, usage)
}

// wholeNumber is what a person would call one, however large it is.
var wholeNumber = regexp.MustCompile(`^[+-]?[0-9]+$`)

// goInteger is the flag package's word for one.
var goInteger = regexp.MustCompile(`^u?int[0-9]*$`)

// numberType is what help calls a whole number.
const numberType = "number"

// number is the value of a flag whose size in bits is nothing to its user.
type number struct{ pflag.Value }

// Type is the word in the help.
func (number) Type() string { return numberType }

// plainNumbers has help say number where the flag package says uint32.
func plainNumbers(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) {
		if goInteger.MatchString(f.Value.Type()) {
			f.Value = number{f.Value}
		}
	}
	cmd.PersistentFlags().VisitAll(plain)
	cmd.Flags().VisitAll(plain)
	for _, c := range cmd.Commands() {
		plainNumbers(c)
	}
}

// refuseStrangers has help and completion refuse what they know nothing of.
func refuseStrangers(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run = nil
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return unknown("command", rest[0], subcommands(about))
				}
				return about.Help()
			}
		case "completion":
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknown("shell", args[0], subcommands(cmd))
				}
				return cmd.Help()
			}
		}
	}
}

// plainUsage takes the marks of the words for values out of the usage of flags:
// shell completion shows it as it is.
func plainUsage(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") }
	cmd.PersistentFlags().VisitAll(plain)
	cmd.Flags().VisitAll(plain)
	for _, c := range cmd.Commands() {
		plainUsage(c)
	}
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return polymath.Errorf(polymath.InvalidArgument, "%s takes no arguments, not %.40q", cmd.Name(), args[0])
	}
	return nil
}
