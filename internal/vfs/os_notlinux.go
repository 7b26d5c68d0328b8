//go:build !linux

package vfs

// SyncData is Sync, which on Darwin is F_FULLFSYNC: plain fsync there leaves the data in the disk's cache.
func (f *osFile) SyncData() error { return f.Sync() }

func (f *osFile) SyncRange(off, n int64) error { return f.control("sync", nothing) }

func (f *osFile) Preallocate(off, n int64) error { return f.control("preallocate", nothing) }

func (f *osFile) DropCache(off, n int64) error { return f.control("fadvise", nothing) }

func nothing(int) error { return nil }
