//go:build !unix

package config

import (
	"io/fs"
	"os"
)

// keepOwner has nothing to do: the owner comes with the folder.
func keepOwner(*os.File, fs.FileInfo) {}

// syncFolder has nothing to do: folders cannot be opened for it.
func syncFolder(string) error { return nil }
