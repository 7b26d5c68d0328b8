module github.com/streampulse/pulse

go 1.26
