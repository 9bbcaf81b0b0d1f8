-- How long records have to be kept at least, told by whoever knows how long access tokens live. An application that ends
-- its own sessions does not know, and its records have to last for the longest of tokens all the same.
CREATE TABLE revocation_keep (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  keep_ms bigint NOT NULL
);
