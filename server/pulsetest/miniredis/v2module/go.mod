module github.com/alicebob/miniredis/v2

go 1.26.0

require github.com/streampulse/pulse v0.0.0

replace github.com/streampulse/pulse => ../../../..
