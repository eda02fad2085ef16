-- Which clearance a document needs: that of the letter it belongs to.

ALTER TABLE documents.claim
    ADD COLUMN classification smallint NOT NULL DEFAULT 1 CHECK (classification BETWEEN 1 AND 5);
COMMENT ON COLUMN documents.claim.classification IS
    'Of the letter, as dabir.common.v1.Classification numbers it: who reads the document needs that clearance. The '
    'highest of repeated claims stands.';
