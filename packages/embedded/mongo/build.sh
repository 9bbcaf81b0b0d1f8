# Builds the server: build.sh OUTPUT GO. Run in this folder.
#
# FerretDB looks a document up by its id only where a filter says nothing else, and goes through the whole collection for
# a conditional update. The filter is applied to what was looked up in any case, so it is let look up by id always.
set -e
output=$1 go=$2 scratch=$1.build
"$go" mod download
rm -rf "$scratch"
mkdir "$scratch"
cp -R "$("$go" list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB)" "$scratch/ferretdb"
chmod -R u+w "$scratch"
collection=$scratch/ferretdb/internal/backends/sqlite/collection.go
sed 's/params\.Filter\.Len() == 1/params.Filter != nil \&\& params.Filter.Has("_id")/' "$collection" >"$scratch/collection.go"
mv "$scratch/collection.go" "$collection"
cp go.mod "$scratch/own.mod"
cp go.sum "$scratch/own.sum"
"$go" mod edit -replace "github.com/FerretDB/FerretDB=$scratch/ferretdb" "$scratch/own.mod"
"$go" build -trimpath -ldflags='-s -w' -modfile "$scratch/own.mod" -o "$output.new" .
rm -rf "$scratch"
mv "$output.new" "$output"
