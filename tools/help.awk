# Prints a Makefile's targets by group: "##@ Group" starts a group, "target: … ## text" is a line of it.
BEGIN { FS = ":.*## "; print "usage: make TARGET [ARGS=…]" }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z-]+:.*## / { printf "  %-14s %s\n", $1, $2 }
