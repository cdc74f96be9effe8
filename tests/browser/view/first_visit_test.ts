import assert from "node:assert/strict";
import { viewSuite } from "./view_suite.ts";

viewSuite("a first visit", [
  {
    name: "put a value, kill the leader, and see the value again",
    query: "nodes=3&runs",
    async run(demo) {
      await demo.script("s.elect('n1')");
      await demo.says("h1", /^n1 leads 3 nodes in term 1$/);
      await demo.button("Put").click();
      await demo.says(".answer", /colour is now “blue” version 2, by n1, in 3 ms/);
      for (const id of ["n1", "n2", "n3"]) await demo.says(`[data-node="${id}"]`, /colour = blue/);
      await demo.says(".next", /What if the leader dies\?/);
      await demo.button("Kill the leader (n1)").click();
      await demo.says('[data-node="n1"]', /killed/);
      await demo.says("h1", /^n2 leads 3 nodes in term 2$/);
      await demo.says(".detail", /n1 is killed; 2 of 3 voters are left/);
      await demo.says(".next", /Get the value again/);
      await demo.button("Get").click();
      await demo.says(".answer", /colour is “blue” version 2, by n2/);
      await demo.button("Start n1 again").click();
      await demo.says('[data-node="n1"]', /follower/);
      await demo.says('[data-node="n1"]', /colour = blue/);
      assert.deepEqual((await demo.calls()).map(([name]) => name), ["put", "kill", "get", "restart"]);
    },
  },
  {
    name: "all controls for it are on the first screen, filled in",
    query: "nodes=3&runs",
    async run(demo) {
      await demo.script("s.elect('n1')");
      for (const name of ["Put", "Get", /^Kill the leader/]) {
        const box = await demo.button(name).boundingBox();
        assert.ok(box !== null && box.y + box.height < 800, `${name} is not on the first screen`);
      }
      assert.equal(await demo.page.getByRole("textbox", { name: "Key" }).inputValue(), "colour");
      assert.equal(await demo.page.getByRole("textbox", { name: "Value" }).inputValue(), "blue");
    },
  },
  {
    name: "a key that a node lacks, and one without a value, are shown as such",
    query: "nodes=3&runs",
    async run(demo) {
      await demo.script("s.elect('n1')");
      await demo.page.getByRole("textbox", { name: "Key" }).fill("size");
      await demo.says('[data-node="n2"]', /no size/);
      await demo.button("Get").click();
      await demo.says(".answer", /There is no size/);
    },
  },
]);
