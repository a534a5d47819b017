-- Accounts are one account however they are spelt: what is a key, or compared, is kept in small letters.

-- Whoever is registered in two spellings is not trusted in either until registered again.
UPDATE review_officer SET status = 'ended'
    WHERE EXISTS (SELECT 1 FROM review_officer AS other
                  WHERE lower(other.account) = lower(review_officer.account)
                    AND other.account <> review_officer.account);
DELETE FROM review_officer
    WHERE EXISTS (SELECT 1 FROM review_officer AS other
                  WHERE lower(other.account) = lower(review_officer.account)
                    AND other.account < review_officer.account);
UPDATE review_officer SET account = lower(account);

-- A look in another spelling is looked again.
DELETE FROM review_look WHERE account <> lower(account);
UPDATE review SET reviewer = lower(reviewer), barred = lower(barred);
