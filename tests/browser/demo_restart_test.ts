import assert from "node:assert/strict";
import { DemoPage, DemoServer } from "./demo.ts";
import { Profile } from "./profile.ts";

Deno.test("the demo: the cluster and its data survive when the browser is killed", async () => {
  await using server = new DemoServer();
  const url = await server.url();
  await using profile = await Profile.make();
  let context = await profile.launch();
  try {
    const first = await DemoPage.open(context, url);
    await first.leader();
    const second = await DemoPage.open(context, await first.page.evaluate("raftDemo.inviteUrl") as string);
    await second.voters("n1", "n2", "n3", "n4");
    const { version } = await first.put("colour", "green");
    const { term } = await first.node(await first.leader());
    const addresses = [first.page.url(), second.page.url()];
    await profile.kill(context);

    context = await profile.launch();
    const [again, other] = await Promise.all(addresses.map((address) => DemoPage.open(context, address)));
    assert.ok((await again!.node(await again!.leader())).term > term);
    assert.equal(await other!.get("colour"), "green");
    const read = await again!.do<{ version: number }>(`get("colour", "linearizable")`);
    assert.equal(read.version, version);
    await again!.voters("n1", "n2", "n3", "n4");
    again!.requireQuiet();
    other!.requireQuiet();

    // Without parameters it shows this browser's cluster, whose name was kept as well.
    await again!.page.close();
    const bare = await DemoPage.open(context, url);
    await bare.leader();
    assert.equal(await bare.get("colour"), "green");
  } finally {
    await context.close();
  }
});
