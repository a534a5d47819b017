-- How an account was spelt is not kept: in small letters it is the same account.
SELECT 1;
