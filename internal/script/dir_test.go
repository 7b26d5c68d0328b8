package script

import "testing"

func init() { Flags() }

func TestExample(t *testing.T) { RunDir(t, "testdata/*.txt", nil, Options{}) }
