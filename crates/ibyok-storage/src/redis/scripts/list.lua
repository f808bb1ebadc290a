-- A page of a collection. KEYS: the index. ARGV: the question's number, where to begin, how many.
return {ARGV[1], redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])}
