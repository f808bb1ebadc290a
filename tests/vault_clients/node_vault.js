// A program as people write it for Vault: the `node-vault` package, with nothing but VAULT_ADDR and VAULT_TOKEN.
'use strict';

const assert = require('assert');
const vault = require('node-vault')();

async function refused(status, call) {
    await assert.rejects(call, (error) => {
        assert.strictEqual(error.response.statusCode, status);
        return true;
    });
}

async function main() {
    assert.strictEqual((await vault.health()).sealed, false);
    assert.strictEqual((await vault.initialized()).initialized, true);
    assert.strictEqual((await vault.status()).sealed, false);
    assert.strictEqual((await vault.tokenLookupSelf()).data.type, 'service');
    const native = await vault.read('secret/data/dev/native');
    assert.deepStrictEqual(native.data.data, { value: 'sk-native' });
    const written = await vault.write('secret/data/dev/node', { data: { api_key: 'one' }, options: { cas: 0 } });
    assert.strictEqual(written.data.version, 1);
    await refused(400, vault.write('secret/data/dev/node', { data: { api_key: 'two' }, options: { cas: 0 } }));
    await vault.update('secret/data/dev/node', { data: { api_key: 'two' } });
    assert.strictEqual((await vault.read('secret/data/dev/node')).data.data.api_key, 'two');
    assert.deepStrictEqual((await vault.list('secret/metadata/dev')).data.keys, ['native', 'node']);
    await vault.delete('secret/data/dev/node');
    await refused(404, vault.read('secret/data/dev/node'));
    await vault.write('secret/undelete/dev/node', { versions: [2] });
    await vault.write('secret/destroy/dev/node', { versions: [1] });
    assert.strictEqual((await vault.read('secret/metadata/dev/node')).data.versions['1'].destroyed, true);
    await vault.delete('secret/metadata/dev/node');
    await refused(404, vault.read('secret/metadata/dev/node'));
    await refused(403, vault.read('secret/data/prod/secret'));
    // From here on the client uses the token of each answer.
    const own = vault.token;
    await vault.tokenRenewSelf({ increment: '1h' });
    assert.strictEqual(vault.token, own);
    const child = await vault.tokenCreate({ policies: ['keys:read'], ttl: '10m' });
    assert.deepStrictEqual((await vault.read('secret/data/dev/native')).data.data, { value: 'sk-native' });
    vault.token = own;
    await vault.tokenRevoke({ token: child.auth.client_token });
    console.log('node-vault: done');
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
