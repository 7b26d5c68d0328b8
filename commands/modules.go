package commands

// There are no modules: MODULE answers as a server on which none is loaded and on which no file is one.
var moduleCommands = []Spec{
	{Name: "MODULE", Arity: -2, Group: GroupServer, Since: "4.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about modules.", Sub: []Spec{
			{Name: "LIST", Arity: 2, Flags: Admin | NoScript, Since: "4.0.0", Complexity: "O(1)", Summary: "Lists the modules that are loaded: none.",
				Tips: []string{"nondeterministic_output_order"}, Run: moduleList},
			{Name: "LOAD", Syntax: "path [arg [arg ...]]", Arity: -3, Flags: moduleFlags, Since: "4.0.0", Complexity: "O(1)",
				Summary: "Refuses to load a module.", Run: moduleLoad},
			{Name: "LOADEX", Syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]", Arity: -3, Flags: moduleFlags,
				Since: "7.0.0", Complexity: "O(1)", Summary: "Refuses to load a module with parameters.", Run: moduleLoad},
			{Name: "UNLOAD", Syntax: "name", Arity: 3, Flags: moduleFlags, Since: "4.0.0", Complexity: "O(1)",
				Summary: "Says that no such module is loaded.", Run: moduleUnload},
			helpRow("5.0.0", 0),
		}},
}

const moduleFlags = Admin | NoScript | NoAsyncLoading

const (
	errModuleLoad   = Error("ERR Error loading the extension. Please check the server logs.")
	errModuleUnload = Error("ERR Error unloading module: no such module with that name")
)

func moduleList(c *Call) error {
	c.Array(0)
	return nil
}

func moduleLoad(c *Call) error {
	if err := c.protected("MODULE", "enable-module-command"); err != nil {
		return err
	}
	return errModuleLoad
}

func moduleUnload(c *Call) error {
	if err := c.protected("MODULE", "enable-module-command"); err != nil {
		return err
	}
	return errModuleUnload
}
